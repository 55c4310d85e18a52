from django.contrib import admin
from django.urls import path
from shop.views import stock

urlpatterns = [path("", stock), path("admin/", admin.site.urls)]
