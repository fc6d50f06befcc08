# docker build -t mlcheck . && docker run --rm -v "$PWD:/work:ro" mlcheck scan runs
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/mlcheck
WORKDIR /source
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY mlcheck mlcheck
COPY rules rules
RUN /opt/mlcheck/bin/python -m pip install --no-cache-dir --disable-pip-version-check ".[html]"

FROM python:3.12-slim
COPY --from=build /opt/mlcheck /opt/mlcheck
# 10001 is nobody on the machine that runs it; what is mounted is only read, and what is kept lives as long as the container.
RUN useradd --uid 10001 --user-group --create-home mlcheck
ENV PATH="/opt/mlcheck/bin:$PATH" PYTHONUNBUFFERED=1
USER mlcheck
WORKDIR /work
ENTRYPOINT ["mlcheck"]
CMD ["--help"]
