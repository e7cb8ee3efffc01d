"""The configuration that `serve deploy` takes, and that of KubeRay around it, with what each line
is for. No ray is needed.
"""

from textwrap import indent

from ...cache.errors import InputError
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
          min_replicas: 1   # with 2, people are answered also while one is replaced
          max_replicas: 8
          target_ongoing_requests: 2   # of one replica: more of them wait, another one is started
          upscale_delay_s: 10
          downscale_delay_s: 600
      - name: Ingress
        num_replicas: 1
        ray_actor_options:
          num_cpus: 0
"""


KUBERNETES = """\
# keyturn on KubeRay. The image, from this Dockerfile in keyturn's checkout:
#   FROM rayproject/ray:{ray}-py311-gpu
#   COPY . /keyturn
#   RUN pip install '/keyturn[team]'
#   RUN keyturn model pull {model}
# Its Ray and rayVersion are the same. Tokens, a line of `keyturn serve token` for each user:
#   kubectl create secret generic keyturn-tokens --from-file=tokens
# Replaced later (create … --dry-run=client -o yaml | kubectl apply -f -), it counts a minute later.
# An ingress in front has to let bodies of 16 MiB through. Whoever reaches Ray's own ports can run
# anything: keep them to this cluster (a NetworkPolicy; authOptions of KubeRay).
# Users reach the service keyturn-serve-svc, by an ingress that speaks TLS. What is applied anew
# replaces replicas one by one; another image or rayClusterConfig has a second cluster started
# beside the first, which takes over once it answers.
apiVersion: ray.io/v1
kind: RayService
metadata:
  name: keyturn
spec:
  serveConfigV2: |
{serve}  rayClusterConfig:
    rayVersion: "{ray}"
    enableInTreeAutoscaling: true   # nodes come and go with the replicas
    headGroupSpec:
      rayStartParams:
        num-cpus: "0"   # the head has no replicas
      template:
        spec:
          containers:
            - name: ray-head
              image: {image}
              resources:
                requests: {{cpu: "2", memory: 4Gi}}
                limits: {{cpu: "2", memory: 4Gi}}
              volumeMounts: &mounts
                - {{name: tokens, mountPath: /etc/keyturn, readOnly: true}}
          volumes: &volumes
            - name: tokens
              secret: {{secretName: keyturn-tokens}}
    workerGroupSpecs:
      - groupName: gpu
        minReplicas: 1
        maxReplicas: 8
        replicas: 1
        rayStartParams: {{}}
        template:
          spec:
            terminationGracePeriodSeconds: 60
            containers:
              - name: ray-worker
                image: {image}
                resources:
                  requests: {{cpu: "4", memory: 12Gi, nvidia.com/gpu: 1}}
                  limits: {{cpu: "4", memory: 12Gi, nvidia.com/gpu: 1}}
                volumeMounts: *mounts
            volumes: *volumes
"""
RAY = "2.60.0"  # that the tests have


def yaml_of(model: str) -> str:
    """For a cluster of machines with GPUs. Raises `InputError` for what is no model's name."""
    ServerSettings.of({"model": {"name": model}})
    return TEMPLATE.format(model=model, import_path=IMPORT_PATH)


def kubernetes_of(model: str, image: str) -> str:
    """A `RayService` of KubeRay with the same. Raises `InputError` for what is no name."""
    if not image or image.split() != [image]:
        raise InputError(f"{image!r:.80} is no image's name")
    serve = indent(yaml_of(model), "    ")
    return KUBERNETES.format(serve=serve, image=image, ray=RAY, model=model)
