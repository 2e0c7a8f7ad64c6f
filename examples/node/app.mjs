// Logs people in with Pro Santé Connect, on openid-client. Settings come from
// the environment: ISSUER, CLIENT_ID, CERT, KEY, CA (files, PEM) and PORT.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import * as client from "openid-client";
import { Agent, fetch } from "undici";

const { ISSUER, CLIENT_ID, CERT, KEY, CA, PORT = "8080" } = process.env;
const here = `http://localhost:${PORT}`;

// mTLS: the certificate of type ORG AUTH_CLI goes with every call.
const dispatcher = new Agent({ connect: { cert: readFileSync(CERT), key: readFileSync(KEY), ca: readFileSync(CA) }, keepAliveTimeout: 1 });
const withCertificate = (url, options) => fetch(url, { ...options, dispatcher });
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, client.TlsClientAuth(), { [client.customFetch]: withCertificate, timeout: 5, execute: [client.enableNonRepudiationChecks] });

const sessions = new Map();
const cookie = (request) => /app=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
const give = (response, session) => {
  const id = randomBytes(24).toString("base64url");
  sessions.set(id, session);
  response.setHeader("Set-Cookie", `app=${id}; Path=/; HttpOnly; SameSite=Lax`);
  return session;
};
const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const redirect = (response, to) => response.writeHead(302, { Location: to }).end();

async function login(request, response) {
  const pending = { state: client.randomState(), nonce: client.randomNonce(), verifier: client.randomPKCECodeVerifier() };
  give(response, { pending });
  redirect(response, client.buildAuthorizationUrl(config, {
    redirect_uri: `${here}/callback`, scope: "openid scope_all", acr_values: "eidas1", state: pending.state, nonce: pending.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(pending.verifier), code_challenge_method: "S256",
  }).href);
}

async function callback(request, response, url) {
  const session = sessions.get(cookie(request));
  if (session?.name) return redirect(response, "/"); // loaded again
  if (!session?.pending) throw new Error("no login is under way in this browser");
  const { state, nonce, verifier } = session.pending;
  session.pending = undefined; // it serves once
  if (url.searchParams.get("iss") !== ISSUER) throw new Error("iss is not the issuer");
  const tokens = await client.authorizationCodeGrant(config, url, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });
  const claims = tokens.claims();
  if (claims.aud !== CLIENT_ID || claims.azp !== CLIENT_ID) throw new Error("the id token is for others");
  if (claims.acr !== "eidas1") throw new Error("the level is not the one asked for");
  if (Date.now() / 1000 - claims.iat > 600) throw new Error("the id token was issued long ago");
  const hash = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(tokens.access_token))).subarray(0, 16).toString("base64url");
  if (claims.at_hash !== hash) throw new Error("at_hash is of another access token");
  const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  if (!Array.isArray(info.SubjectRole) || [info.SubjectNameID, info.given_name, info.family_name].some((v) => typeof v !== "string")) throw new Error("UserInfo lacks what this application needs");
  sessions.delete(cookie(request));
  give(response, { name: `${info.given_name} ${info.family_name} (${info.SubjectNameID})`, idToken: tokens.id_token });
  redirect(response, "/");
}

function home(request, response) {
  const session = sessions.get(cookie(request));
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(session?.name ? `<p id="welcome">Bienvenue ${escape(session.name)}</p><a href="/logout">Log out</a>` : '<a href="/login">Log in</a>');
}

function logout(request, response) {
  const session = sessions.get(cookie(request));
  sessions.delete(cookie(request));
  redirect(response, client.buildEndSessionUrl(config, { id_token_hint: session?.idToken ?? "", post_logout_redirect_uri: `${here}/` }).href);
}

const routes = { "/": home, "/login": login, "/callback": callback, "/logout": logout };
createServer(async (request, response) => {
  const url = new URL(request.url, here);
  try {
    await (routes[url.pathname] ?? ((_, r) => r.writeHead(404).end()))(request, response, url);
  } catch (error) {
    response.writeHead(400, { "Content-Type": "text/html; charset=utf-8" }).end(`<p>The login failed: ${escape(String(error.message))}</p>`);
  }
}).listen(Number(PORT), "localhost", () => console.log(`ready ${here}`));
