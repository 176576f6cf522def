"""Errors of reading the CRM, classified by whether a later attempt can help.

Messages name the resource, the page, the status and the setting to look at. They never hold a record: records are
personal data.
"""


class SourceError(Exception):
    """Base class of this package's errors. `retriable`: whether the same attempt may succeed later."""

    retriable = False


class SettingsError(SourceError):
    """A setting is missing, unknown or has a value that is not allowed. Raised before the first request."""


class ApiRefusal(SourceError):
    """The API refused the request (401, 403, 404, 422, a redirect …) and would refuse it again."""


class BadAnswer(SourceError):
    """The API answered with status 200, but not with a page of records."""


class ApiUnavailable(SourceError):
    """429, 500, 502, 503, 504, a dropped connection or a time-out, after the last retry of the request."""

    retriable = True
