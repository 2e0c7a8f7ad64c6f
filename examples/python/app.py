"""Logs people in with Pro Santé Connect, on Authlib and Flask.

Settings come from the environment: ISSUER, CLIENT_ID, CERT, KEY, CA (files,
PEM) and PORT.
"""
import os
import time

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, request, session
from markupsafe import escape

ISSUER, CLIENT_ID, PORT = os.environ["ISSUER"], os.environ["CLIENT_ID"], os.environ.get("PORT", "8080")
HERE = f"http://localhost:{PORT}"
TLS = {"cert": (os.environ["CERT"], os.environ["KEY"]), "verify": os.environ["CA"], "timeout": 5}  # mTLS: ORG AUTH_CLI

app = Flask(__name__)
app.secret_key = os.urandom(32)
app.config.update(SESSION_COOKIE_SAMESITE="Lax")
psc = OAuth(app).register(
    "psc", client_id=CLIENT_ID, server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid scope_all", "code_challenge_method": "S256", "token_endpoint_auth_method": "none"},
    authorize_params={"acr_values": "eidas1"})

people = {}  # what the cookie must not hold, by session


def require(good, what):
    if not good:
        raise ValueError(what)


@app.get("/")
def home():
    person = people.get(session.get("id"))
    if not person:
        return '<a href="/login">Log in</a>'
    return f'<p id="welcome">Bienvenue {escape(person["name"])}</p><a href="/logout">Log out</a>'


@app.get("/login")
def login():
    session.clear()
    return psc.authorize_redirect(f"{HERE}/callback")


@app.get("/callback")
def callback():
    if people.get(session.get("id")):
        return redirect("/")  # loaded again
    require(request.args.get("iss") == ISSUER, "iss is not the issuer")
    tokens = psc.authorize_access_token(leeway=60, **TLS)  # state, PKCE, signature, iss, aud, exp, nonce
    require("id_token" in tokens, "there is no id token")
    claims = tokens["userinfo"]  # Authlib's name for the claims of the id token
    require(claims["aud"] == CLIENT_ID and claims["azp"] == CLIENT_ID, "the id token is for others")
    require(claims.get("nonce"), "the id token holds no nonce")
    require(claims.get("sub") and claims.get("exp"), "sub or exp is missing")
    require(claims["acr"] == "eidas1", "the level is not the one asked for")
    require(time.time() - claims["iat"] < 600, "the id token was issued long ago")
    info = psc.get(psc.load_server_metadata()["userinfo_endpoint"], token=tokens, **TLS)
    info.raise_for_status()
    info = info.json()
    require(info.get("sub") == claims["sub"], "UserInfo is about somebody else")
    require(isinstance(info.get("SubjectRole"), list) and all(isinstance(info.get(c), str) for c in ("SubjectNameID", "given_name", "family_name")), "UserInfo lacks what this application needs")
    session.clear()
    session["id"] = os.urandom(16).hex()
    people[session["id"]] = {"name": f'{info["given_name"]} {info["family_name"]} ({info["SubjectNameID"]})', "id_token": tokens["id_token"]}
    return redirect("/")


@app.get("/logout")
def logout():
    person = people.pop(session.get("id"), {})
    session.clear()
    return redirect(f'{ISSUER}/protocol/openid-connect/logout?id_token_hint={person.get("id_token", "")}&post_logout_redirect_uri={HERE}/')


@app.errorhandler(Exception)
def failed(error):
    return f"<p>The login failed: {escape(str(error))}</p>", 400


if __name__ == "__main__":
    # Discovery and keys are fetched with the emulator's authority too.
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["CA"]
    print("ready", HERE, flush=True)
    app.run("localhost", int(PORT))
