# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS builder
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin ticketflow \
    && cp target/release/ticketflow /usr/local/bin/ticketflow

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/ticketflow --create-home ticketflow
COPY --from=builder /usr/local/bin/ticketflow /usr/local/bin/ticketflow
COPY LICENSE NOTICE steps/data/embeddings/LICENSE.wordnet-3.1.txt /usr/share/doc/ticketflow/
USER ticketflow
# In a container loopback reaches nobody. Elsewhere the API only listens once TICKETFLOW_TRUST_NETWORK=1 says that no
# stranger can connect.
ENV TICKETFLOW_LISTEN=0.0.0.0:8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["ticketflow", "healthcheck"]
ENTRYPOINT ["ticketflow"]
# Needs DATABASE_URL: the image brings no PostgreSQL.
CMD ["up"]
