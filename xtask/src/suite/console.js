// Drives the console's page in headless Chromium; a line of JSON for each check. Run by `cargo xtask suite console`.
"use strict";

const { chromium } = require("playwright-core");

const [url, browserPath, picture] = process.argv.slice(2);
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const PATIENCE = 20000;

const wrong = [];
const elsewhere = new Set();

async function check(what, run) {
  let why = null;
  try {
    why = (await run()) ?? null;
  } catch (error) {
    why = String(error.message ?? error).split("\n")[0];
  }
  process.stdout.write(`${JSON.stringify({ check: what, why })}\n`);
}

function watch(page) {
  const own = new URL(url).host;
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) wrong.push(message.text()); });
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => { if (new URL(request.url()).host !== own) elsewhere.add(request.url()); });
}

const text = (page, id) => page.locator(`#${id}`).innerText();

async function followed(page) {
  await check("the page opens by its address, which loses the token", async () => {
    await page.goto(url);
    await page.waitForSelector("#rows tr", { timeout: PATIENCE });
    return page.url().includes("token") ? page.url() : null;
  });
  await check("the countdown moves with the blocks", async () => {
    const before = await text(page, "clock-note");
    await page.waitForFunction((before) => document.getElementById("clock-note").innerText !== before, before, { timeout: PATIENCE });
    const countdown = await text(page, "countdown");
    return /ends (in \d+ blocks?|with this block)/.test(countdown) ? null : countdown;
  });
  await check("the miners are there with their weights, the most first", async () => {
    await page.waitForFunction(() => document.querySelectorAll("#rows tr").length >= 8, null, { timeout: PATIENCE });
    const weights = await page.locator("#rows .weight > span").allInnerTexts();
    const numbers = weights.map((weight) => Number.parseFloat(weight));
    const isSorted = numbers.every((weight, at) => at === 0 || !(weight > numbers[at - 1]));
    return isSorted ? null : weights.join(" ");
  });
  await check("a miner is opened by the keyboard, down to an answer", async () => {
    await page.locator("#follow").uncheck();
    await page.locator("#rows tr:first-child button").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#detail[open] tbody a", { timeout: PATIENCE });
    await page.locator("#detail tbody a").first().focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#detail .sides pre", { timeout: PATIENCE });
    const scans = await page.locator("#detail .scan svg").count();
    if (picture) await page.screenshot({ path: picture });
    await page.keyboard.press("Escape");
    await page.waitForSelector("#detail", { state: "hidden", timeout: PATIENCE });
    return scans > 0 ? null : "no scan is drawn";
  });
}

async function ended(page) {
  await check("the run's end is told, with lines, a map and who was caught", async () => {
    await page.waitForFunction(() => document.getElementById("lead").innerText.includes("The run is over"), null, { timeout: 3 * PATIENCE });
    const [lines, cells, caught] = [await page.locator("#earned polyline").count(), await page.locator("#map rect.heat").count(), await page.locator("#caught tr").count()];
    return lines >= 5 && cells >= 16 && caught >= 4 ? null : `${lines} lines, ${cells} cells, ${caught} rows`;
  });
  await check("nothing is wider than a telephone", async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    const [scroll, client] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    return scroll <= client ? null : `${scroll} of ${client} pixels`;
  });
}

async function strangers(browser) {
  await check("a wrong token and none at all are refused", async () => {
    const page = await (await browser.newContext()).newPage();
    for (const search of ["?token=0123456789abcdef", ""]) {
      const response = await page.goto(new URL(`/${search}`, url).href);
      if (response.status() !== 401) return `${search}: ${response.status()}`;
    }
    const api = await page.request.get(new URL("/api/overview", url).href);
    return api.status() === 401 ? null : `the API: ${api.status()}`;
  });
}

(async () => {
  const browser = await chromium.launch({ executablePath: browserPath, args: FLAGS });
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  watch(page);
  await followed(page);
  await strangers(browser);
  await ended(page);
  await check("no error, no violation of the page's policy, nothing from elsewhere", async () => [...wrong, ...elsewhere].join(" | ") || null);
  await browser.close();
})();
