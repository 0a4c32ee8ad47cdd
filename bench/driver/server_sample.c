#include "server_sample.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX 4096

/** Reads a small file as text; an empty text where it cannot be read. */
static void read_text(const char *path, char *text) {
  text[0] = 0;
  FILE *file = fopen(path, "r");
  if (!file) return;
  text[fread(text, 1, FILE_BYTES_MAX - 1, file)] = 0;
  fclose(file);
}

/** The process-wide file has only the first thread, so the threads are added up. */
static double cpu_seconds(int pid) {
  char path[512];
  char text[FILE_BYTES_MAX];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *threads = opendir(path);
  if (!threads) return 0;
  double seconds = 0;
  for (struct dirent *thread; (thread = readdir(threads));) {
    if (thread->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, thread->d_name);
    read_text(path, text);
    seconds += strtod(text, NULL) / 1e9;
  }
  closedir(threads);
  return seconds;
}

static void read_user_and_system(int pid, struct server_sample *sample) {
  char path[64];
  char text[FILE_BYTES_MAX];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  read_text(path, text);
  // The second field is the command's name and may hold anything, so fields are counted from its closing bracket.
  const char *fields = strrchr(text, ')');
  unsigned long user = 0, kernel = 0;
  if (!fields) return;
  sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
  double ticks_per_second = (double)sysconf(_SC_CLK_TCK);
  sample->user_s = (double)user / ticks_per_second;
  sample->system_s = (double)kernel / ticks_per_second;
}

static double kilobytes_after(const char *text, const char *name) {
  const char *line = strstr(text, name);
  return line ? strtod(line + strlen(name), NULL) : 0;
}

static void read_memory(int pid, struct server_sample *sample) {
  char path[64];
  char text[FILE_BYTES_MAX];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  read_text(path, text);
  sample->rss_bytes = kilobytes_after(text, "VmRSS:") * 1024;
  sample->rss_peak_bytes = kilobytes_after(text, "VmHWM:") * 1024;
}

struct server_sample server_sample_take(int pid) {
  struct server_sample sample = {0};
  if (!pid) return sample;
  sample.cpu_s = cpu_seconds(pid);
  read_user_and_system(pid, &sample);
  read_memory(pid, &sample);
  return sample;
}
