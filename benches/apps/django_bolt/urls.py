"""Django requires a URL module; every route here is Django-Bolt's own."""

urlpatterns: list[object] = []
