#!/usr/bin/env bash
# Installs what the tests run against besides npm packages, where it is missing and this may install it (Debian, as
# root). Says what it did and why. What is still missing then fails the tests that need it, where REQUIRE_ENGINES=1.
set -u

# A command, and the packages that bring it.
engines=(
  "nginx nginx"
  "strace strace"
  "pg_ctlcluster postgresql"
  "redis-server redis-server redis-tools"
  "nats-server nats-server"
  "mariadbd mariadb-server"
  "mcs mono-mcs mono-runtime libmono-system-core4.0-cil libmono-system-net-http4.0-cil libmono-system-runtime-serialization4.0-cil"
)
missing=()
for engine in "${engines[@]}"; do
  read -r command packages <<< "$engine"
  # shellcheck disable=SC2206 # a list of packages
  command -v "$command" > /dev/null || missing+=($packages)
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "engines: all are there"
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "engines: ${missing[*]} missing, and not installed: that needs root and apt-get"
  exit 0
fi

echo "engines: installing ${missing[*]}, which the tests start themselves, on ports of their own"
# Debian would start nginx on port 80 at once: a policy of 101 forbids that, for as long as this runs.
policy=/usr/sbin/policy-rc.d
restore() {
  rm -f "$policy"
  if [ -e "$policy.before" ]; then mv "$policy.before" "$policy"; fi
}
if [ -e "$policy" ]; then mv "$policy" "$policy.before"; fi
trap restore EXIT
printf '#!/bin/sh\nexit 101\n' > "$policy"
chmod +x "$policy"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || echo "engines: the list of packages could not be renewed"
if apt-get install -y -qq --no-install-recommends "${missing[@]}"; then
  echo "engines: installed ${missing[*]}"
else
  echo "engines: ${missing[*]} could not be installed; apt-get says why above"
fi
