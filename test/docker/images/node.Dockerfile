# Stands in for node:VERSION-bookworm-slim: Node's own binary and npm, both from npm.
FROM berth-test/debian
ADD node.tgz /tmp/node
ADD npm.tgz /usr/local/lib/node_modules/npm.tmp
RUN mv /tmp/node/package/bin/node /usr/local/bin/node \
  && mv /usr/local/lib/node_modules/npm.tmp/package /usr/local/lib/node_modules/npm \
  && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
  && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
  && rm -rf /tmp/node /usr/local/lib/node_modules/npm.tmp \
  && groupadd --gid 1000 node && useradd --uid 1000 --gid node --create-home node \
  && node --version && npm --version
CMD ["node"]
