# Stands in for nats: the server of Debian's package, and the wget that the health check calls.
FROM berth-test/debian
RUN apt-get -o Acquire::Check-Valid-Until=false update \
  && apt-get install -y --no-install-recommends nats-server wget && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["nats-server"]
