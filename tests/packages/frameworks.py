"""Frameworks of ASGI and WSGI that say hello, by a template where they have one."""

# /// script
# dependencies = ["Quart==0.22.0", "bottle==0.13.4", "falcon==4.4.0", "Django==5.2.19"]
# ///

from typing import Any

import bottle
import django.conf
import falcon
import falcon.asgi
import quart
from bolt import BoltAPI
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

# Quart.
of_quart = quart.Quart(__name__)


@of_quart.route("/hello/<name>")
async def greet(name: str) -> str:
    return await quart.render_template_string("<p>{{ name }}</p>", name=name)


# Bottle.
of_bottle = bottle.Bottle()


@of_bottle.route("/hello/<name>")
def greet_by_bottle(name: str) -> str:
    return bottle.template("<p>{{name}}</p>", name=name)


# Falcon.
class Greeting:
    def on_get(self, request: Any, response: Any, name: str) -> None:
        response.media = {"hello": name}


class LaterGreeting:
    async def on_get(self, request: Any, response: Any, name: str) -> None:
        response.media = {"hello": name}


of_falcon, of_falcon_asgi = falcon.App(), falcon.asgi.App()
of_falcon.add_route("/hello/{name}", Greeting())
# Its routes have the path at which it is mounted, which Falcon does not take off.
of_falcon_asgi.add_route("/falcon-asgi/hello/{name}", LaterGreeting())

# Django.
PAGE = "{% load humanize %}<p>{{ name }} {{ number|intcomma }}</p>"
django.conf.settings.configure(
    SECRET_KEY="k",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.humanize"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"page": PAGE})]},
        }
    ],
)


def view(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "page", {"name": name, "number": 12345})


async def later_view(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "page", {"name": name, "number": 12345})


urlpatterns = [path("hello/<name>", view), path("later/<name>", later_view)]


api = BoltAPI()
api.mount("/quart", of_quart)
api.mount("/bottle", of_bottle)
api.mount("/falcon", of_falcon)
api.mount("/falcon-asgi", of_falcon_asgi)
api.mount("/django", get_wsgi_application())
api.mount("/django-asgi", get_asgi_application())
