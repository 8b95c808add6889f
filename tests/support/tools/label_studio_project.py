"""Run by the Python of Label Studio: makes a project from our files, labels it, and exports it.

    python label_studio_project.py FOLDER

FOLDER holds tasks.json and tasks.config.xml as exported, and upload.png, which is uploaded as "up
load (1).png". All questions are answered with sky, and a second person labels one pixel of the
first task as road. It writes project.json, and order.json: data.name of the tasks, by descending
prediction score.
"""

import json
import os
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1]).absolute()
os.environ.update(
    LABEL_STUDIO_BASE_DATA_DIR=str(FOLDER / "studio"),
    DJANGO_DB="sqlite",
    COLLECT_ANALYTICS="false",
    SENTRY_RATE="0",
    FEATURE_FLAGS_OFFLINE="true",
    LOG_LEVEL="ERROR",
    LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED="true",
    LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=str(FOLDER),
)

from label_studio import server  # noqa: E402

server._setup_env()
server._apply_database_migrations()

from organizations.models import Organization  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from users.models import User  # noqa: E402


def main() -> None:
    ann = User.objects.create_user(email="ann@example.com", password="first-password")
    organization = Organization.create_organization(created_by=ann, title="a team")
    ann.active_organization = organization
    ann.save()
    bob = User.objects.create_user(email="bob@example.com", password="second-password")
    organization.add_user(bob)
    bob.active_organization = organization
    bob.save()
    first, second = Person(ann), Person(bob)

    config = (FOLDER / "tasks.config.xml").read_text()
    project = first.post("/api/projects/", {"title": "clicks", "label_config": config})["id"]
    tasks = json.loads((FOLDER / "tasks.json").read_text())
    imported = first.post(f"/api/projects/{project}/import", tasks)
    assert imported["task_count"] == len(tasks), imported
    assert imported["prediction_count"] == len(tasks), imported
    first.upload(f"/api/projects/{project}/import", FOLDER / "upload.png", "up load (1).png")

    (FOLDER / "order.json").write_text(json.dumps(by_score(first, project)))
    label(first, second, project)
    exported = first.get(f"/api/projects/{project}/export?exportType=JSON")
    (FOLDER / "project.json").write_text(json.dumps(exported))


class Person:
    """A logged-in user."""

    def __init__(self, user: User) -> None:
        self.client = APIClient(HTTP_HOST="localhost")
        self.client.force_authenticate(user)

    def get(self, path: str) -> object:
        return received(self.client.get(path))

    def post(self, path: str, body: object) -> dict:
        return received(self.client.post(path, body, format="json"))

    def upload(self, path: str, file: Path, name: str) -> dict:
        from django.core.files.uploadedfile import SimpleUploadedFile

        content = SimpleUploadedFile(name, file.read_bytes(), "image/png")
        return received(self.client.post(path, {"file": content}, format="multipart"))


def received(response) -> object:
    if response.status_code >= 300:
        raise SystemExit(f"{response.status_code}: {response.content[:2000]!r}")
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return json.loads(content)


def by_score(person: Person, project: int) -> list[str]:
    """The order of the Data Manager by the column "Prediction score", descending."""
    view = {"project": project, "data": {"ordering": ["-tasks:predictions_score"]}}
    number = person.post("/api/dm/views/", view)["id"]
    found = person.get(f"/api/tasks?project={project}&view={number}")
    return [one["data"].get("name", "") for one in found["tasks"]]


def label(first: Person, second: Person, project: int) -> None:
    found = first.get(f"/api/tasks?project={project}&fields=all")["tasks"]
    for number, task in enumerate(found):
        asked = [result for one in task["predictions"] for result in one["result"]]
        if not asked:  # the upload
            value = {"x": 50.0, "y": 25.0, "width": 0.5, "keypointlabels": ["road"]}
            where = {"original_width": 48, "original_height": 32, "image_rotation": 0}
            key_point = {"type": "keypointlabels", "from_name": "pixel", "to_name": "image"}
            asked = [{"id": "u", "value": value, **where, **key_point}]
        else:
            for result in asked:
                result["value"]["keypointlabels"] = ["sky"]
        path = f"/api/tasks/{task['id']}/annotations/"
        first.post(path, {"result": asked, "lead_time": 2.0})
        if number == 0:
            asked[0]["value"]["keypointlabels"] = ["road"]
            second.post(path, {"result": asked[:1], "lead_time": 2.0})


main()
