"""The practice user office: an OpenID provider with a login page, for one hub on this machine."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from flask import Flask, Response, abort, jsonify, redirect, render_template, request, session
from joserfc.jwk import RSAKey
from werkzeug.wrappers import Response as AnyResponse

from .people import People, PracticePerson
from .tokens import Client, Ledger, register_grants

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"


@dataclass(frozen=True)
class Office:
    """What the office is told when it starts."""

    issuer: str
    facility: str
    client: Client
    people: People


def create_app(office: Office) -> Flask:
    """The provider as a Flask application."""
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)
    app.config.update(SESSION_COOKIE_NAME="practice-office", SESSION_COOKIE_SAMESITE="Lax")
    ledger, key = Ledger(), RSAKey.generate_key(2048)
    key.ensure_kid()
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: office.client if client_id == office.client.client_id else None,
        save_token=lambda answer, asked: ledger.keep_token(asked.user.sub, answer),
    )
    register_grants(server, office.people, ledger, key, office.issuer)
    _add_pages(app, office, server)
    _add_endpoints(app, office, server, ledger, key)
    return app


def _add_pages(app: Flask, office: Office, server: Any) -> None:
    @app.after_request
    def strict_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def login_page(fault: str = "") -> str:
        session["form"] = session.get("form") or secrets.token_urlsafe(16)
        return render_template(
            "login.html", office=office, people=office.people.all(), form=session["form"], fault=fault
        )

    @app.get("/authorize")
    def authorize() -> Any:
        person = office.people.find(session.get("sub"))
        try:
            server.get_consent_grant(end_user=person)
        except OAuth2Error as fault:
            return server.handle_error_response(request, fault)
        return server.create_authorization_response(grant_user=person) if person else login_page()

    @app.post("/authorize")
    def login() -> Any:
        if not secrets.compare_digest(request.form.get("form", ""), session.get("form") or secrets.token_urlsafe()):
            return login_page("The page was open for too long. Please try again."), 400
        person = office.people.login(request.form.get("user", ""), request.form.get("password", ""))
        if person is None:
            return login_page("This name and password do not belong together."), 401
        session.clear()
        session["sub"] = person.sub
        return redirect(request.full_path, 303)

    @app.get("/logout")
    def logout() -> AnyResponse:
        session.clear()
        return redirect(office.client.redirect_uri.rpartition("/hub/")[0] + "/hub/home")


def _add_endpoints(app: Flask, office: Office, server: Any, ledger: Ledger, key: RSAKey) -> None:
    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/userinfo")
    def userinfo() -> Any:
        return jsonify(_bearer(office.people, ledger).claims())

    @app.get("/jwks.json")
    def jwks() -> Any:
        return jsonify({"keys": [key.as_dict(private=False)]})

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Any:
        return jsonify(
            {
                "issuer": office.issuer,
                "authorization_endpoint": f"{office.issuer}/authorize",
                "token_endpoint": f"{office.issuer}/token",
                "userinfo_endpoint": f"{office.issuer}/userinfo",
                "end_session_endpoint": f"{office.issuer}/logout",
                "jwks_uri": f"{office.issuer}/jwks.json",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "scopes_supported": ["openid", "profile", "email", "visits"],
                "claims_supported": ["sub", "name", "email", "roles", "visits"],
            }
        )


def _bearer(people: People, ledger: Ledger) -> PracticePerson:
    """The person whose access token the request carries; 401 otherwise."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    token = ledger.token(text) if scheme.lower() == "bearer" else None
    person = people.find(token.sub) if token else None
    if person is None:
        abort(401)
    return person
