"""The configuration that `serve deploy` takes, with what each line is for. No ray is needed."""

from .settings import ServerSettings

IMPORT_PATH = "keyturn.daemon.team.application:build"

TEMPLATE = """\
# keyturn on Ray Serve: serve deploy THIS_FILE, on a cluster where keyturn[team] is installed.
proxy_location: EveryNode
http_options:
  host: 0.0.0.0
  port: 8000
  # ssl_certfile: /etc/keyturn/server.pem   # TLS here, or by a proxy in front
  # ssl_keyfile: /etc/keyturn/server.key
applications:
  - name: keyturn
    route_prefix: /
    import_path: {import_path}
    args:
      model:
        name: {model}
        # device: cuda   # and any other setting of [model]
      # Users: keyturn serve token NAME --tokens FILE. Without it only this machine is served.
      tokens: /etc/keyturn/tokens
      forget_minutes: 30   # a text that nobody asks about is forgotten
    deployments:
      - name: Engine
        ray_actor_options:
          num_cpus: 2
          num_gpus: 1   # 0.5 lets two replicas share one; 0 without GPUs
        max_ongoing_requests: 128
        autoscaling_config:
          min_replicas: 1
          max_replicas: 8
          target_ongoing_requests: 2   # of one replica: more of them wait, another one is started
          upscale_delay_s: 10
          downscale_delay_s: 600
      - name: Ingress
        num_replicas: 1
        ray_actor_options:
          num_cpus: 0
"""


def yaml_of(model: str) -> str:
    """For a cluster of machines with GPUs. Raises `InputError` for what is no model's name."""
    ServerSettings.of({"model": {"name": model}})
    return TEMPLATE.format(model=model, import_path=IMPORT_PATH)
