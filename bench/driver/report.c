#include "report.h"

#include <stdio.h>

static double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

static void print_text(const char *name, const char *text) {
  printf(",\"%s\":\"", name);
  for (; *text; text++) putchar((unsigned char)*text < ' ' || *text == '"' || *text == '\\' ? ' ' : *text);
  putchar('"');
}

void report_opening(const struct load *load, const struct opening *opening) {
  const struct connections *connections = &load->connections;
  int ready = connections->ready;
  printf("{\"connections\":%d,\"failed\":%d", ready, load->options->connections - ready);
  printf(",\"connectSeconds\":%.6f,\"connectsPerSecond\":%.1f", opening->wall_s, ratio(ready, opening->wall_s));
  printf(",\"connectServerCpuSeconds\":%.6f,\"connectsPerServerCpuSecond\":%.1f", opening->server_cpu_s,
         ratio(ready, opening->server_cpu_s));
  printf(",\"rssBeforeBytes\":%.0f,\"rssIdleBytes\":%.0f,\"rssBytesPerConnection\":%.1f", opening->rss_before_bytes,
         opening->rss_idle_bytes, ratio(opening->rss_idle_bytes - opening->rss_before_bytes, ready));
  printf(",\"phases\":[");
}

static double percentile_ms(const struct histogram *latency_ns, double share) {
  return (double)histogram_at(latency_ns, share) / 1e6;
}

static void print_latency(const char *name, const struct histogram *latency_ns) {
  printf(",\"%s\":{\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"max\":%.4f}", name, percentile_ms(latency_ns, 0.5),
         percentile_ms(latency_ns, 0.9), percentile_ms(latency_ns, 0.99), (double)latency_ns->max / 1e6);
}

static unsigned long sum(uint64_t of_the_quick, uint64_t of_the_slow) {
  return (unsigned long)(of_the_quick + of_the_slow);
}

void report_phase(const struct load *load, const char *name, const struct phase_result *result, bool is_first) {
  const struct arrivals *arrivals = &load->connections.arrivals;
  const struct arrivals *slow = &load->connections.slow_arrivals;
  double deliveries = (double)(arrivals->deliveries + slow->deliveries);
  // Ticks are coarse: they give the share of user time, the scheduler's count gives the sum.
  double user_share = ratio(result->server_user_s, result->server_user_s + result->server_system_s);
  printf("%s{\"phase\":\"%s\",\"posted\":%u,\"expected\":%lu,\"deliveries\":%lu", is_first ? "" : ",", name,
         result->posted, (unsigned long)result->expected, (unsigned long)deliveries);
  printf(",\"lost\":%lu,\"doubled\":%lu,\"outOfOrder\":%lu,\"late\":%lu,\"unknown\":%lu", (unsigned long)result->missing.lost,
         sum(arrivals->doubled, slow->doubled), sum(arrivals->out_of_order, slow->out_of_order),
         sum(arrivals->late, slow->late), sum(arrivals->unknown, slow->unknown));
  printf(",\"wrong\":%lu", sum(arrivals->wrong, slow->wrong));
  printf(",\"replaced\":%lu,\"gone\":%lu,\"gaps\":%lu,\"unfinished\":%lu", (unsigned long)result->missing.replaced,
         (unsigned long)result->missing.gone, (unsigned long)result->missing.gaps,
         (unsigned long)result->missing.unfinished);
  printf(",\"returns\":%lu,\"returnTries\":%lu,\"returnSeconds\":%.6f,\"receipts\":%lu",
         (unsigned long)load->connections.returns, (unsigned long)load->connections.return_tries, result->return_s, (unsigned long)load->poster.receipts);
  printf(",\"wallSeconds\":%.6f,\"deliveriesPerSecond\":%.1f", result->wall_s, ratio(deliveries, result->wall_s));
  printf(",\"serverCpuSeconds\":%.6f,\"deliveriesPerServerCpuSecond\":%.1f", result->server_cpu_s,
         ratio(deliveries, result->server_cpu_s));
  printf(",\"userMicrosecondsPerDelivery\":%.4f,\"systemMicrosecondsPerDelivery\":%.4f",
         ratio(result->server_cpu_s * user_share * 1e6, deliveries),
         ratio(result->server_cpu_s * (1 - user_share) * 1e6, deliveries));
  print_latency("latencyMs", &arrivals->latency_ns);
  print_latency("answerMs", &load->poster.answer_ns);
  printf(",\"payloadBytesPerDelivery\":%.1f,\"serverRssBytes\":%.0f,\"serverRssPeakBytes\":%.0f,\"driverCpuSeconds\":%.6f",
         ratio((double)(arrivals->payload_bytes + slow->payload_bytes), deliveries), result->server_rss_bytes, result->server_rss_peak_bytes,
         result->driver_cpu_s);
  printf(",\"isStalled\":%s}", result->is_stalled ? "true" : "false");
}

void report_end(const struct load *load) {
  printf("],\"closed\":%d,\"refusedPosts\":%lu", load->connections.closed, (unsigned long)load->poster.refused);
  print_text("firstRefusal", load->poster.first_refusal);
  print_text("firstFailure", load->connections.first_failure);
  printf("}\n");
}
