"""Selenium: a login on the page. READY names ready.json of the data folder."""
import json
import os
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import presence_of_element_located
from selenium.webdriver.support.wait import WebDriverWait

psc = json.load(open(os.environ["READY"]))
PERSON = "899790011177"


def api(method, path, body=None):
    request = urllib.request.Request(psc["api_url"] + path, method=method, data=body and json.dumps(body).encode(), headers={"Authorization": "Bearer " + psc["api_token"], "Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


api("PUT", f"/identities/{PERSON}/ecps/behaviour", {"action": "approve"})
seen = api("GET", "/logins/last")["seq"]
options = webdriver.ChromeOptions()
options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
options.accept_insecure_certs = True
for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
    options.add_argument(flag)
driver = webdriver.Chrome(options=options, service=Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")))
try:
    find = lambda hook: WebDriverWait(driver, 20).until(presence_of_element_located((By.CSS_SELECTOR, f'[data-testid="{hook}"]')))
    driver.get(psc["console_url"] + "/demo/start")
    find("national-id").send_keys(PERSON)
    find("submit-ecps").click()
    find("demo-logged-in")
finally:
    driver.quit()
login = api("GET", f"/logins/wait?event=userinfo&identity={PERSON}&after={seen}")
assert login["national_id"] == PERSON
print("selenium: ok")
