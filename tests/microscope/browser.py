"""A real browser on a page of the microscope: headless Chromium, driven by Selenium.

Needs Debian's packages chromium and chromium-driver, and selenium (the extra `browser`). Tests skip
where one is missing; with BACKPASS_BROWSER=required, as in CI, they fail instead.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def missing() -> str | None:
    """Say what a browser test lacks here, or None."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        return "no chromium or chromedriver here; Debian has them in chromium, chromium-driver"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed; it comes with the extra 'browser'"
    return None


def started(folder: Path):
    """Start Chromium with an empty profile; pytest skips where there is none."""
    reason = missing()
    if reason is not None:
        if os.environ.get("BACKPASS_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in [*FLAGS, f"--user-data-dir={folder}", "--window-size=1440,1000"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def read(text: str) -> float:
    """Read a number as the page writes it: −8.860×10⁻⁵, ∞."""
    digits, _, power = text.strip().replace("\u202f", "").partition("×10")
    if "∞" in digits:
        return float("-inf") if digits.startswith("−") else float("inf")
    return float(digits.translate(RAISED)) * 10.0 ** int(power.translate(RAISED) or 0)


def close_as_shown(text: str, x: float) -> bool:
    """Tell whether a shown number is x to the digits shown: within half a unit of the last one."""
    digits, _, power = text.strip().partition("×10")
    scale = 10.0 ** int(power.translate(RAISED) or 0)
    places = len(digits.partition(".")[2])
    return abs(read(text) - x) <= 0.5000001 * scale * 10.0**-places


class Page:
    """One page in the browser, asked in the words of a person."""

    def __init__(self, driver, path: Path) -> None:
        self.driver, self.url = driver, path.as_uri()
        driver.get_log("browser"), driver.get_log("performance")
        self.open()

    def open(self, fragment: str = "") -> None:
        """Load the page afresh, at a fragment of its address."""
        self.driver.get("about:blank")
        self.driver.get(self.url + fragment)

    def js(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression holds; TimeoutException after three seconds."""
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 3, 0.02).until(lambda _: self.js(f"return {expression}"))

    def all(self, selector: str):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str):
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        """Return the text of every element that matches."""
        query = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return self.js(query, selector)

    def text(self, selector: str) -> str:
        (text,) = self.texts(selector)
        return text

    def hover(self, selector: str) -> None:
        """Move the pointer onto an element."""
        from selenium.webdriver import ActionChains

        element = self.one(selector)
        self.js("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", element)
        ActionChains(self.driver).move_to_element(element).perform()

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def choose(self, selector: str, value: object) -> None:
        """Choose an option of a list."""
        from selenium.webdriver.support.select import Select

        Select(self.one(selector)).select_by_value(str(value))

    @property
    def fragment(self) -> str:
        return self.js("return location.hash")

    def width(self, pixels: int) -> None:
        """Set the width of the window."""
        size = {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def complaints(self) -> list[str]:
        """List what the console has said since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """List the addresses asked for since the page was opened."""
        events = [
            json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")
        ]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
