"""Forms of both admins: signing in, and fields that are written but never shown."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextareaWidget

from kameng.core.client import client_address
from kameng.core.problems import Problem
from kameng.core.throttle import allow

#: Tries from one address, and tries for one name from anywhere: the second is wider, so that nobody locks out another.
SIGN_INS, SIGN_INS_FOR_NAME, SIGN_IN_SECONDS = 10, 60, 300


class SignInForm(AuthenticationForm):
    """A name and its password: so many tries from one address and for one name, in each schema for itself."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        """Refuse before the password is looked at, so that a limit tells nothing about it."""
        name = str(self.cleaned_data.get("username", ""))[:150].lower()
        for scope, key, limit in (
            ("sign-in", client_address(self.request), SIGN_INS),
            ("sign-in-name", name, SIGN_INS_FOR_NAME),
        ):
            if seconds := allow(scope, key, limit=limit, seconds=SIGN_IN_SECONDS):
                raise ValidationError(_("试得太快了，%(seconds)s 秒后再试") % {"seconds": seconds}, code="too_many")
        cleaned: dict[str, Any] = super().clean()
        return cleaned


class SecretWidget(UnfoldAdminTextareaWidget):
    """Takes a secret and never draws one, not even the one that was typed a moment ago."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"rows": 8, "autocomplete": "off", "spellcheck": "false", **(attrs or {})})

    def format_value(self, value: Any) -> str:
        """Always empty."""
        return ""


class SealedConfigField(forms.CharField):
    """Keys to store under their names, as a JSON object; nothing typed changes nothing. Cleans to a mapping."""

    widget = SecretWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=True, max_length=40_000, **options)

    def clean(self, value: Any) -> Any:
        """A mapping of names to texts (or to mappings of texts). The message never quotes what was typed."""
        text = super().clean(value)
        if not text:
            return {}
        try:
            given = json.loads(text)
        except ValueError:
            given = None
        if not isinstance(given, dict) or not all(isinstance(held, (str, dict)) for held in given.values()):
            raise ValidationError(_('要写成 JSON 对象，例如 {"app_key": "…"}'))
        return given

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Only where something was typed."""
        return bool(data)


class ServiceForm(forms.ModelForm[Any]):
    """A row's form. What the database would refuse is the service's to say, in words for people."""

    def _post_clean(self) -> None:
        """As the framework does, without the database's constraints: it has no switch for them."""
        self.instance.validate_constraints = _nothing_to_say
        try:
            super()._post_clean()  # type: ignore[misc]
        finally:
            del self.instance.validate_constraints


def _nothing_to_say(exclude: Any = None) -> None:
    pass


class RowForm(ServiceForm):
    """A row of a table: its fields have no labels beside them, so each says its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            field.widget.attrs.setdefault("aria-label", str(field.label))


class StaffForm(forms.Form):
    """A form of a page of ours, in the page's own look; `add_problem` says what a service refused."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            if not isinstance(field.widget, (forms.CheckboxInput, forms.CheckboxSelectMultiple, forms.RadioSelect)):
                field.widget.attrs.setdefault("class", "k-input")


class MomentInput(forms.DateTimeInput):
    """A day and a time to the minute."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__({"autocomplete": "off"}, format="%Y-%m-%dT%H:%M")


def add_problem(form: forms.BaseForm, problem: Problem) -> None:
    """Say a refusal at the fields it is about, or above the form."""
    known = {name: text for name, text in problem.fields.items() if name in form.fields}
    for name, text in known.items():
        form.add_error(name, str(text))
    if not known:
        form.add_error(None, str(problem))
