# docker build -t reid . && docker run --rm -v "$PWD/outputs:/reid/outputs" reid
FROM python:3.12-slim
WORKDIR /reid
COPY pyproject.toml README.md ./
COPY reid reid
RUN pip install --no-cache-dir .
COPY conf conf
COPY run.py .
ENTRYPOINT ["python", "run.py"]
