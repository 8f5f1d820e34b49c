# Lab and simulator in one image. Where no registry can be reached, the base is this machine's Python:
#   docker build --network none --build-arg BASE="$(.venv/bin/python -m scenarios.worlds.docker.base_image)" .
ARG BASE=python:3.12-slim
FROM ${BASE}
WORKDIR /lab
COPY requirements.lock ./
# Such a base brings the packages along.
RUN python -c "import docker, httpx, msgspec, starlette, typer, uvicorn" 2>/dev/null \
    || python -m pip install --no-cache-dir --no-deps --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY core core
COPY simulator simulator
COPY chaos chaos
COPY scenarios scenarios
COPY loadtests loadtests
COPY dtms_lab dtms_lab
# Containers start often, and keep nothing that they compile.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash core simulator chaos scenarios
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["python", "-m"]
CMD ["simulator"]
