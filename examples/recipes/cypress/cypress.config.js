// Not run in our CI: Cypress fetches its browser shell from its own site.
const { readFileSync } = require("node:fs");
const psc = JSON.parse(readFileSync(process.env.READY));
module.exports = { env: { psc }, chromeWebSecurity: false, e2e: { baseUrl: psc.console_url, specPattern: "*.cy.js", supportFile: false } };
