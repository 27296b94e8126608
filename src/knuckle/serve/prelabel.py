"""Pre-labels for annotation tools: a machine learning back-end of Label Studio, and a serverless function of CVAT.

Label Studio: `/label-studio/health`, `setup`, `predict` (labelstud.io/guide/ml_create). CVAT: `/api/functions`
and `/api/function_invocations`, as Nuclio's dashboard has them (docs.cvat.ai, "Serverless tutorial").
"""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from knuckle.exports.cvat import detections, nuclio_function
from knuckle.exports.label_studio import Controls, controls_of, prediction
from knuckle.images import Image
from knuckle.pipeline.detect import detect
from knuckle.results import Hand
from knuckle.serve.decode import decode_image
from knuckle.serve.label_studio_files import read_task_image
from knuckle.serve.limits import Refused
from knuckle.serve.requests import answered, anybody, json_body, within
from knuckle.serve.service import MAX_HANDS, Service

FUNCTION = "knuckle"  # the name of our function in CVAT


def prelabel_routes(service: Service) -> list[Route | Mount]:
    """The routes for the annotation tools that the server was started for."""
    routes: list[Route | Mount] = []
    if service.label_studio:
        gets = (("/", get_health), ("/health", get_health), ("/versions", get_versions))
        posts = (("/setup", post_setup), ("/predict", post_predict), ("/webhook", post_webhook))
        below = [Route(path, answered(handler, label_studio_may)) for path, handler in gets]
        below += [Route(path, answered(handler, label_studio_may), methods=["POST"]) for path, handler in posts]
        health = Route("/label-studio", answered(get_health, label_studio_may))
        routes += [health, Mount("/label-studio", routes=below)]
    if service.cvat:
        below = [Route("/functions", answered(get_functions, anybody))]  # CVAT cannot send a token
        below += [Route("/functions/{name}", answered(get_function, anybody))]
        below += [Route("/function_invocations", answered(post_invocation, anybody), methods=["POST"])]
        routes.append(Mount("/api", routes=below))
    return routes


def label_studio_may(service: Service, request: Request) -> None:
    """Check the token, which Label Studio sends as the password of HTTP's basic authentication.

    Raises:
        Refused: 401, it is missing or wrong.
    """
    if not (service.has_token(request.headers) or service.has_password(request.headers)):
        service.token_refused(request)
        raise Refused(401, "missing or wrong token; give it to Label Studio as the password of the back-end")


async def get_health(request: Request) -> Response:
    """`GET /label-studio/health`."""
    return JSONResponse({"status": "UP", "model_class": "Knuckle"})


async def get_versions(request: Request) -> Response:
    """`GET /label-studio/versions`: the bundle in use."""
    return JSONResponse({"versions": [request.app.state.service.models]})


async def post_setup(request: Request) -> Response:
    """`POST /label-studio/setup`: Label Studio connects a project; a project without our labels is refused."""
    body = await json_body(request)
    if body.get("schema"):
        controls_of(str(body["schema"]))
    return JSONResponse({"model_version": request.app.state.service.models})


async def post_webhook(request: Request) -> Response:
    """`POST /label-studio/webhook`: events of projects, of which none matters here."""
    await json_body(request)
    return JSONResponse({}, 201)


async def post_predict(request: Request) -> Response:
    """`POST /label-studio/predict`: the predictions of some tasks."""
    service: Service = request.app.state.service
    body = await json_body(request)
    tasks = body.get("tasks")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise Refused(400, "expected a list of objects under 'tasks'")
    controls = controls_of(str(body.get("label_config") or ""))

    async def predict() -> list[dict[str, Any]]:
        return [await service.work(predict_task, service, task, controls) for task in tasks]

    results = await within(service.limits.idle_s, predict(), "the tasks were not labelled")
    return JSONResponse({"results": results, "model_version": service.models})


def predict_task(service: Service, task: dict[str, Any], controls: Controls) -> dict[str, Any]:
    """The prediction for one task; runs in a worker thread."""
    data = task.get("data")
    if not isinstance(data, dict) or not isinstance(data.get(controls.field), str):
        raise Refused(400, f"task {task.get('id')}: there is no {controls.field!r} in its data")
    image = decode_image(read_task_image(service, data[controls.field], task.get("id")), service.limits.pixels)
    found = prediction(find_hands(service, image), image.shape[1], image.shape[0], controls)
    return {**found, "model_version": service.models}


def find_hands(service: Service, image: Image) -> list[Hand]:
    return detect(image, service.networks, max_hands=MAX_HANDS)


async def get_functions(request: Request) -> Response:
    """`GET /api/functions`: what CVAT lists under "Models"."""
    return JSONResponse({FUNCTION: nuclio_function(FUNCTION)})


async def get_function(request: Request) -> Response:
    """`GET /api/functions/knuckle`."""
    require_our_function(request.path_params["name"])
    return JSONResponse(nuclio_function(FUNCTION))


def require_our_function(name: str) -> None:
    if name != FUNCTION:
        raise Refused(404, f"there is no function {name!r}; there is {FUNCTION}")


async def post_invocation(request: Request) -> Response:
    """`POST /api/function_invocations`: the skeletons of one image, which comes as base64 in JSON."""
    service: Service = request.app.state.service
    require_our_function(request.headers.get("x-nuclio-function-name", FUNCTION))
    body = await json_body(request)
    threshold = body.get("threshold") or 0
    if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise Refused(400, f"threshold must be 0 to 1, got {threshold!r:.40}")
    try:
        data = base64.b64decode(str(body["image"]), validate=True)
    except KeyError:
        raise Refused(400, "expected the image as base64 under 'image'") from None
    except ValueError as error:  # letters that are not ASCII, or binascii.Error, which is one
        raise Refused(400, f"the image is not base64: {error}") from error

    def skeletons() -> list[dict[str, Any]]:
        hands = find_hands(service, decode_image(data, service.limits.pixels))
        return detections([hand for hand in hands if hand.presence >= threshold])

    return JSONResponse(await service.work_if_room(skeletons))
