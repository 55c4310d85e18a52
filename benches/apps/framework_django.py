"""Django with one template."""

# mypy: ignore-errors
# What it imports is installed only where it runs.

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.shortcuts import render
from django.urls import path

PAGE = "{% for line in lines %}<li>{{ line.name }}: {{ line.qty }}</li>{% endfor %}"
settings.configure(
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    LOGGING_CONFIG=None,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.cached.Loader",
                        [("django.template.loaders.locmem.Loader", {"page.html": PAGE})],
                    )
                ]
            },
        }
    ],
)
django.setup()
LINES = [{"name": f"part {number}", "qty": number} for number in range(10)]


def page(request):
    return render(request, "page.html", {"lines": LINES})


urlpatterns = [path("", page)]
app = get_wsgi_application()
