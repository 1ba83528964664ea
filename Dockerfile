# The reference server and the harness in one image that can stand in for tensorflow/serving: the same
# entrypoint arguments, ports, /models folder and variables MODEL_NAME and MODEL_BASE_PATH.
#
#   docker build -t tfserving-harness .
#   docker run -p 8500:8500 -p 8501:8501 -v /path/to/my_model:/models/my_model -e MODEL_NAME=my_model tfserving-harness

# Any image with Python 3.11 or newer and its venv module.
ARG BASE=python:3.12-slim
FROM ${BASE}

RUN python3 -m venv /opt/tfserving
ENV PATH=/opt/tfserving/bin:$PATH

# What the project depends on changes seldom: a layer of its own.
COPY pyproject.toml /src/
RUN python -c "import tomllib; print(*tomllib.load(open('/src/pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > /src/requirements.txt \
    && pip install --no-cache-dir --requirement /src/requirements.txt

COPY README.md LICENSE /src/
COPY harness /src/harness
COPY reports /src/reports
COPY scenarios /src/scenarios
COPY server_impl /src/server_impl
RUN pip install --no-cache-dir --no-deps /src && rm -r /src

COPY deploy/tf_serving_entrypoint.sh /usr/bin/
RUN ln -s /opt/tfserving/bin/tfs-reference-server /usr/bin/tensorflow_model_server && mkdir /models

# Here "locust -f harness/load.py" and "pytest scenarios" work as in a checkout.
WORKDIR /harness
COPY tox.ini ./
RUN ln -s /opt/tfserving/lib/python3.*/site-packages/harness /opt/tfserving/lib/python3.*/site-packages/scenarios .

ENV MODEL_BASE_PATH=/models MODEL_NAME=model
EXPOSE 8500 8501
ENTRYPOINT ["/usr/bin/tf_serving_entrypoint.sh"]
