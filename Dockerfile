# syntax=docker/dockerfile:1
FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin handful \
    && install --directory --owner handful --mode 0700 /data \
    && python -m venv --without-pip /opt/handful
ENV PATH=/opt/handful/bin:$PATH \
    PYTHONUNBUFFERED=1

# cpu or gpu: which FAISS to install (never both, see pyproject.toml). faiss-gpu brings libraries of
# CUDA 12, which stand beside PyTorch's of CUDA 13; one driver serves both, if it serves CUDA 13.
ARG FAISS=cpu
# PyTorch on PyPI brings CUDA with it. For an image some gigabytes smaller, without GPU support:
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
# That index has files of its own, whose hashes the lock files do not have.
ARG TORCH_INDEX=
# Other extras, separated by commas: with ray among them for deploy/ray.
ARG EXTRAS=postgres,buckets,otel,grpc,label-studio,mcp,mqtt

# What Handful needs: gigabytes in a layer of their own, which stays as long as the lock files do;
# a file that they have not the hash of is refused. The weights of `lite` are among it: the image
# needs no network when it runs. That all of its libraries are found, side by side, needs no GPU to
# be seen. What installs is in no layer.
WORKDIR /source
COPY constraints.txt ./
COPY requirements requirements
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /tools \
    && set -- --python /opt/handful/bin/python install --no-deps --only-binary=:all: \
    && if [ -n "$TORCH_INDEX" ]; then \
        /tools/bin/pip "$@" --constraint constraints.txt --index-url "$TORCH_INDEX" \
            torch torchvision; \
    else \
        /tools/bin/pip "$@" --require-hashes --requirement requirements/cuda.txt; \
    fi \
    && IFS=, && for extra in base $FAISS $EXTRAS; do \
        set -- "$@" --requirement "requirements/$extra.txt"; \
    done \
    && /tools/bin/pip "$@" --require-hashes \
    && python -c "import torch, faiss" \
    && rm -r /tools
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY supply_chain supply_chain
COPY adapters adapters
COPY handful handful
COPY service service
# Handful, and a bill of materials of all of it.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /tools \
    && /tools/bin/pip install --no-deps --require-hashes --only-binary=:all: \
        --requirement requirements/build.txt \
    && /tools/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /tools/wheels \
        ./client . \
    && /tools/bin/pip --python /opt/handful/bin/python install --no-index --no-deps \
        /tools/wheels/*.whl \
    && /tools/bin/pip --python /opt/handful/bin/python check \
    && handful --help > /dev/null \
    && /tools/bin/python -m supply_chain.bill_of_materials \
        /opt/handful/bin/python /opt/handful/handful.cdx.json \
    && rm -r /tools
# What the service does not need: sources, Python's own pip, files by which one becomes another
# user; and, but for Ray, which starts its workers by bash, shells and what installs packages of
# Debian. There can be no RUN after this one.
WORKDIR /data
RUN rm -rf /source /usr/local/bin/pip* /usr/local/lib/python3*/site-packages \
        /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip \
    && find / -xdev -type f -perm /6000 -delete \
    && case ",$EXTRAS," in *,ray,*) ;; *) \
        rm -f /usr/bin/apt* /usr/bin/dpkg* /usr/bin/perl* \
            /usr/bin/bash /usr/bin/rbash /usr/bin/dash /usr/bin/sh ;; \
    esac

# Nothing is written outside /data and /tmp, so the root file system can be read-only.
ENV PYTHONDONTWRITEBYTECODE=1 \
    HF_HOME=/tmp/huggingface \
    MPLCONFIGDIR=/tmp/matplotlib \
    HANDFUL_HOST=0.0.0.0 \
    HANDFUL_PORT=8000 \
    HANDFUL_DATA_DIR=/data \
    HANDFUL_CACHE_DIR=/data/cache
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"HANDFUL_PORT\"]}/readyz')"]
ENTRYPOINT ["handful"]
CMD ["serve"]
