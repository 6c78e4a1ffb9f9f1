#!/usr/bin/env bash
# A PostgreSQL of its own for one run of the tests, listening on 127.0.0.1 on a free port.
#
#   tests/postgres.sh start DIR    makes the cluster in DIR, which must be new or empty, and prints its URL
#   tests/postgres.sh stop DIR     stops it and removes DIR
#
# PostgreSQL refuses to run as root; for root it runs as `nobody`, who must be able to reach DIR.
set -euo pipefail

fail() {
  printf '%s\n' "tests/postgres.sh: $*" >&2
  exit 1
}

# The newest installed version's programs. Debian keeps them out of PATH.
programs() {
  local newest
  newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort --version-sort | tail --lines=1)
  [[ -x $newest ]] || newest=$(command -v initdb) \
    || fail "PostgreSQL is missing. Install it: apt-get install postgresql"
  dirname "$newest"
}

unprivileged() {
  if [[ $EUID == 0 ]]; then
    setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"
  else
    "$@"
  fi
}

# PostgreSQL cannot choose a port itself.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
  local bin port
  bin=$(programs)
  command -v python3 >/dev/null || fail "Python is missing. Install it: apt-get install python3"
  mkdir -p "$dir"
  [[ -z $(ls -A "$dir") ]] || fail "$dir is not empty"
  [[ $EUID != 0 ]] || chown nobody:nogroup "$dir"
  # The caller's directory may be closed to nobody.
  cd "$dir"

  unprivileged "$bin/initdb" -D "$dir/data" --no-sync -A trust -U postgres -E UTF8 --locale=C.UTF-8 \
    >"$dir/initdb.log" 2>&1 || fail "initdb failed:"$'\n'"$(cat "$dir/initdb.log")"
  # Nothing here outlives the run, so nothing needs to reach the disk.
  cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
max_connections = 200
fsync = off
synchronous_commit = off
full_page_writes = off
CONF
  # Another program may take the port between the question and the start.
  for _ in 1 2 3 4 5; do
    rm -f "$dir/log"
    port=$(free_port)
    if unprivileged "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/log" -o "-p $port" start >/dev/null 2>&1; then
      echo "postgres://postgres@127.0.0.1:$port/postgres"
      return
    fi
    grep -q 'could not bind' "$dir/log" || break
  done
  fail "PostgreSQL did not start:"$'\n'"$(tail --lines=20 "$dir/log")"
}

stop() {
  [[ -e $dir ]] || return 0
  # Never remove a directory that start did not make.
  [[ -e $dir/initdb.log || -z $(ls -A "$dir") ]] || fail "$dir holds no cluster of ours"
  cd "$dir"
  if [[ -e $dir/data/postmaster.pid ]]; then
    unprivileged "$(programs)/pg_ctl" -D "$dir/data" -w -m immediate stop >/dev/null || true
  fi
  cd /
  rm -rf "$dir"
}

[[ $# == 2 && $1 =~ ^(start|stop)$ ]] || fail "usage: tests/postgres.sh start|stop DIR"
dir=$(realpath --canonicalize-missing "$2")
"$1"
