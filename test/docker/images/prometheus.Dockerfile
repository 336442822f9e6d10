# Stands in for prom/prometheus: the server of Debian's package with the official image's arguments and folders.
FROM berth-test/debian
RUN apt-get -o Acquire::Check-Valid-Until=false update \
  && apt-get install -y --no-install-recommends prometheus wget && rm -rf /var/lib/apt/lists/* \
  && rm -rf /etc/prometheus && mkdir -p /etc/prometheus /prometheus && chown nobody /prometheus
USER nobody
WORKDIR /prometheus
VOLUME /prometheus
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
