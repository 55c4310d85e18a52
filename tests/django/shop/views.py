from django.shortcuts import render

from .models import Item


def stock(request):
    return render(request, "shop/stock.html", {"items": Item.objects.all()})
