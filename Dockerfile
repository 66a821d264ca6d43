# Two stages: build with the distribution's libraries, then a slim image with the binary and the libraries it links.
#
#   docker build -t uproar .
#   docker run --rm -p 8080:8080 -v uproar-data:/var/lib/uproar \
#     --security-opt seccomp=tools/seccomp.json uproar
#   docker exec CONTAINER curl -s http://127.0.0.1:9080/metrics   # operators' port: --admin-listen
#
# The seccomp profile is not optional with Docker and Podman: their default profile refuses io_uring.

FROM debian:trixie-slim AS build
WORKDIR /src
COPY tools/dev tools/dev
RUN tools/dev deps
COPY . .
RUN cmake --preset release -DUPROAR_TESTS=OFF -DUPROAR_BENCH=OFF \
    && cmake --build build/release --target uproar \
    && install -D -s build/release/tools/uproar /out/uproar
# Which packages hold the libraries that the binary loads: asked of the system, so that no list can go stale. The
# libraries are named by the dynamic linker as /lib/..., by the package database sometimes as /usr/lib/....
RUN ldd /out/uproar | sed -nE 's/.*=> (\/[^ ]+) .*/\1/p' \
    | while read -r library; do \
        { dpkg-query -S "$(readlink -f "$library")" || dpkg-query -S "$library"; } 2>/dev/null | head -1 | cut -d: -f1; \
      done | sort -u > /out/packages

FROM debian:trixie-slim
COPY --from=build /out/packages /tmp/packages
RUN apt-get update \
    && xargs -a /tmp/packages apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* /tmp/packages \
    && useradd --system --user-group --home-dir /var/lib/uproar --create-home uproar
COPY --from=build /out/uproar /usr/local/bin/uproar
COPY LICENSE /usr/share/doc/uproar/LICENSE
COPY tools/seccomp.json /usr/share/uproar/seccomp.json
USER uproar
VOLUME /var/lib/uproar
EXPOSE 8080
# readyz is a canary through each shard, so a node that is connected but deaf counts as sick.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8080/readyz"]
# exec form: SIGTERM reaches the node, which drains.
ENTRYPOINT ["uproar"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--data", "/var/lib/uproar"]
