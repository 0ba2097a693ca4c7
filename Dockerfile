# The servers: `docker run --publish 8000:8000 --volume ./keys.toml:/keys.toml:ro --env OPENROUTER_API_KEY fusion-tool`
FROM python:3.13-slim AS build
ENV UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/fusion-tool
# hadolint ignore=DL3013
RUN pip install --no-cache-dir "uv>=0.8"
WORKDIR /src
COPY . .
RUN uv sync --frozen --no-cache --no-default-groups --no-editable --extra server --extra mcp --extra report --extra documents

FROM python:3.13-slim
RUN useradd --create-home --uid 1000 fusion
COPY --from=build /opt/fusion-tool /opt/fusion-tool
ENV PATH=/opt/fusion-tool/bin:$PATH
USER 1000
WORKDIR /home/fusion
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["fusion-tool"]
# Other machines reach it, so that it asks for keys: docs/servers.md tells how they are made.
CMD ["serve", "--host", "0.0.0.0", "--keys", "/keys.toml"]
