from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=40, unique=True)),
                ("count", models.PositiveIntegerField(default=0)),
                ("added", models.DateTimeField(auto_now_add=True)),
            ],
            options={"ordering": ["name"]},
        )
    ]
