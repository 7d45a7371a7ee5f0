# syntax=docker/dockerfile:1

# Everything is installed into /app/.venv here, so that the image that runs has neither uv nor the sources.
FROM python:3.11-slim-bookworm AS build
ENV UV_PYTHON_PREFERENCE=only-system \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
# The dependencies change seldom, and so does the layer that holds them.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --extra redis --no-install-project
# The pages are built by the wheel's own hook, with a Node that comes from PyPI.
COPY hatch_build.py ./
COPY web web
COPY src src
RUN uv sync --frozen --no-dev --extra redis --no-editable

FROM python:3.11-slim-bookworm
# PostgreSQL refuses root; an ordinary user may run the embedded one as it is.
RUN useradd --uid 10001 --create-home overbookr \
    && install --directory --owner=overbookr --group=overbookr --mode=0700 /data
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OVERBOOKR_DATA_DIR=/data \
    OVERBOOKR_HOST=0.0.0.0 \
    OVERBOOKR_PORT=8080
USER 10001
WORKDIR /home/overbookr
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['OVERBOOKR_PORT'] + '/readyz', timeout=4)"]
# The first process gets SIGTERM and passes it on; run it with --init, so that orphans are reaped as well.
ENTRYPOINT ["overbookr"]
CMD ["serve"]
