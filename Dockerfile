# Morpheus on processors:
#   docker build -t morpheus .
#   docker run --rm -v "$PWD:/work" morpheus run f160w.fits f125w.fits f606w.fits f850lp.fits -o out/
# and the map of a run (the server listens inside on the loopback interface only, so with the host's network):
#   docker run --rm --network host -v "$PWD:/work" morpheus view out/ --port 8123 --no-browser
FROM python:3.12-slim
COPY pyproject.toml README.md LICENSE /morpheus/
COPY src /morpheus/src
RUN pip install --no-cache-dir "/morpheus[evaluate,film,parquet]" && rm -rf /morpheus
# Caches and user data go there: the user that --user names has no home.
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /work
ENTRYPOINT ["morpheus"]
CMD ["--help"]
