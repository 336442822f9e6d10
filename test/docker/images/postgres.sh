#!/bin/sh
# Begins as root, gives its folder to its own user and becomes that; makes the cluster, its user and its database at the first start.
set -eu
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown -R postgres "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --clear-groups sh "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=$(mktemp)
  printf '%s' "$POSTGRES_PASSWORD" > "$password"
  initdb --username="$POSTGRES_USER" --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256 > /dev/null
  rm -f "$password"
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl -w -o "-c listen_addresses=" start > /dev/null
  createdb --username="$POSTGRES_USER" "$POSTGRES_DB" 2> /dev/null || psql --username="$POSTGRES_USER" --dbname=template1 -c "CREATE DATABASE \"$POSTGRES_DB\""
  pg_ctl -w -m fast stop > /dev/null
fi
exec postgres -c listen_addresses='*'
