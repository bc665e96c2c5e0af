# syntax=docker/dockerfile:1

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/textmill ./cmd/textmill

# For NVIDIA's cards. The driver comes from the host, by its container toolkit, and what else is needed by
# `textmill setup --device cuda`, which has pip fetch it into the volume.
FROM debian:bookworm-slim AS gpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl python3-pip zlib1g \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/textmill textmill
COPY --from=build /out/textmill /usr/local/bin/textmill
ENV TEXTMILL_HOME=/var/lib/textmill NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER textmill
VOLUME /var/lib/textmill
ENTRYPOINT ["textmill"]
CMD ["daemon"]

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/textmill textmill
COPY --from=build /out/textmill /usr/local/bin/textmill
ENV TEXTMILL_HOME=/var/lib/textmill
USER textmill
VOLUME /var/lib/textmill
ENTRYPOINT ["textmill"]
CMD ["daemon"]
