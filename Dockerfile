# syntax=docker/dockerfile:1
# One image for web, worker and beat. Its packages are those of uv.lock, without the servers and tools of the demo.

FROM python:3.11-slim AS packages
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/kameng
WORKDIR /build
COPY kameng/embedded/uv.txt ./
RUN pip install --no-cache-dir --require-hashes --requirement uv.txt
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-default-groups --compile-bytecode

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kameng
COPY --from=packages /opt/kameng /opt/kameng
WORKDIR /srv/kameng
COPY . .
# KAMENG_ENV: manage.py uses the packages it finds and makes nothing up, neither a .venv nor a secret.
# MALLOC: as kameng/embedded/up.py has it.
ENV PATH=/opt/kameng/bin:$PATH \
    MALLOC_ARENA_MAX=1 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    KAMENG_ENV=production \
    KAMENG_VAR=/var/lib/kameng \
    DJANGO_SETTINGS_MODULE=kameng.settings.base
# Static files and byte code belong to the image. The settings ask for secrets: these live as long as this line.
RUN secret() { python -c 'import secrets; print(secrets.token_urlsafe(48))'; }; \
    SECRET_KEY="$(secret)" DIGEST_KEY="$(secret)" \
    ENCRYPTION_KEY="$(python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())')" \
    DATABASE_URL=postgres://nobody@127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1/0 OPERATIONS_HOST=build.invalid \
    python manage.py collectstatic --no-input --verbosity 0 \
    && python -m compileall -q .
USER kameng
EXPOSE 8000
CMD ["gunicorn", "--config", "python:kameng.settings.gunicorn", "kameng.wsgi"]
