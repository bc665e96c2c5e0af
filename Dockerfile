# syntax=docker/dockerfile:1

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/textmill ./cmd/textmill

# CUDA's libraries, and the build of ONNX Runtime that uses them.
FROM nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04 AS gpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl python3-pip \
 && pip install --break-system-packages --no-cache-dir --no-deps --target /opt/onnxruntime onnxruntime-gpu \
 && ln -s /opt/onnxruntime/onnxruntime/capi/libonnxruntime.so.* /opt/onnxruntime/libonnxruntime.so \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/textmill textmill
COPY --from=build /out/textmill /usr/local/bin/textmill
ENV TEXTMILL_HOME=/var/lib/textmill TEXTMILL_RUNTIME_LIBRARY=/opt/onnxruntime/libonnxruntime.so
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
