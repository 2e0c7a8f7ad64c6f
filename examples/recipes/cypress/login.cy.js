it("logs in with the test door, without a page of the emulator", () => {
  const psc = Cypress.env("psc");
  cy.request({ url: "/demo/start", followRedirect: false }).then(({ redirectedToUrl }) => {
    cy.request({ method: "POST", url: `${psc.api_url}/logins`, auth: { bearer: psc.api_token }, body: { authorize_url: redirectedToUrl, identity: "899790011177" } }).then(({ body }) => {
      cy.visit(body.redirect_to);
      cy.get("[data-testid=demo-logged-in]");
    });
  });
});
