# Stands in for postgres: the server of Debian's package behind the part of the official image's entry that the compose file relies on.
FROM berth-test/debian
RUN apt-get -o Acquire::Check-Valid-Until=false update \
  && apt-get install -y --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/* \
  && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ && rm -f /usr/local/bin/psql /usr/local/bin/pg_isready \
  && ln -s /usr/lib/postgresql/*/bin/psql /usr/lib/postgresql/*/bin/pg_isready /usr/local/bin/
COPY postgres.sh /usr/local/bin/entry.sh
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["sh", "/usr/local/bin/entry.sh"]
