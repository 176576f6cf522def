"""What can go wrong at the CRM's side, told apart by whether trying again later can help.

Messages name the resource, the page, the status and the setting to look at. They never hold a record: records are
personal data.
"""


class SourceError(Exception):
    """Base of all errors of this package. `retriable` tells whether a later attempt may succeed unchanged."""

    retriable = False


class SettingsError(SourceError):
    """A setting is missing, unknown or has a value that is not allowed. Raised before the first request."""


class ApiRefusal(SourceError):
    """The API said no (401, 403, 404, 422, a redirect …): the same request will be refused again."""


class BadAnswer(SourceError):
    """The API answered with success, but not with a page of records."""


class ApiUnavailable(SourceError):
    """429, 500, 502, 503, 504, a dropped connection or a time-out that outlasted the request's own retries."""

    retriable = True
