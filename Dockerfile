# vadpipe on a CPU. The steps are those that CI runs: a virtual environment, and pip with the tested set of versions.
#
#   docker build -t vadpipe .                # with the build of torch that the Python package index has, for GPUs too
#   docker build -t vadpipe --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu .        # 4 GB smaller
#   docker run --rm -v "$PWD:/videos" --user "$(id -u):$(id -g)" vadpipe score clip.mp4 --plot --report
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY .ci/constraints.txt .ci/constraints.txt
ARG TORCH_INDEX=
RUN python -m venv /opt/vadpipe \
 && /opt/vadpipe/bin/python -m pip install --no-cache-dir -c .ci/constraints.txt \
    ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision
COPY . .
RUN /opt/vadpipe/bin/python -m pip install --no-cache-dir -c .ci/constraints.txt '.[cpu]'

FROM python:3.11-slim-bookworm
COPY --from=build /opt/vadpipe /opt/vadpipe
# Weights that are fetched, networks that are converted and matplotlib's fonts are kept in the caches of whoever runs it.
ENV PATH=/opt/vadpipe/bin:$PATH \
    HOME=/home/vadpipe \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --create-home --uid 1000 vadpipe && chmod 1777 /home/vadpipe
USER 1000
WORKDIR /videos
ENTRYPOINT ["vadpipe"]
CMD ["--help"]
