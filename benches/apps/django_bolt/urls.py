"""Django wants a URL module to exist; every route here is Django-Bolt's own."""

urlpatterns: list[object] = []
