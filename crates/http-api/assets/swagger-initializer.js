// Starts Swagger UI on this server's own document.

/** The request in JavaScript or Python source. */
const literal = (value) => JSON.stringify(value);

const headersOf = (request) => Object.entries(request.get("headers")?.toJS() ?? {});

const bodyOf = (request) => {
  const body = request.get("body");
  if (body === undefined || body === null) return undefined;
  return typeof body === "string" ? body : JSON.stringify(body.toJS?.() ?? body);
};

const indented = (lines) => lines.map((line) => `    ${line},\n`).join("");

function node(request) {
  const headers = headersOf(request).map(([name, value]) => `  ${literal(name)}: ${literal(value)}`);
  const body = bodyOf(request);
  const options = [`method: ${literal(request.get("method"))}`, `headers: {\n${indented(headers)}    }`];
  if (body !== undefined) options.push(`body: ${literal(body)}`);
  return [
    `const answer = await fetch(${literal(request.get("url"))}, {`,
    ...options.map((option) => `    ${option},`),
    "});",
    "console.log(answer.status, await answer.text());",
  ].join("\n");
}

function python(request) {
  const headers = headersOf(request).map(([name, value]) => `    ${literal(name)}: ${literal(value)}`);
  const body = bodyOf(request);
  const options = [
    literal(request.get("url")),
    `method=${literal(request.get("method"))}`,
    `headers={\n${indented(headers)}    }`,
  ];
  if (body !== undefined) options.push(`data=${literal(body)}.encode()`);
  return [
    "import urllib.request",
    "",
    "request = urllib.request.Request(",
    ...options.map((option) => `    ${option},`),
    ")",
    "with urllib.request.urlopen(request) as answer:",
    "    print(answer.status, answer.read().decode())",
  ].join("\n");
}

const snippets = () => ({
  fn: { requestSnippetGenerator_node: node, requestSnippetGenerator_python: python },
});

window.onload = async () => {
  const settings = await (await fetch("settings.json")).json();
  window.ui = SwaggerUIBundle({
    url: "../openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    filter: true,
    persistAuthorization: settings.persist_authorization,
    requestSnippetsEnabled: true,
    requestSnippets: {
      generators: {
        curl_bash: { title: "curl", syntax: "bash" },
        node: { title: "Node.js", syntax: "javascript" },
        python: { title: "Python", syntax: "python" },
      },
      defaultExpanded: true,
    },
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl, snippets],
    layout: "BaseLayout",
    onComplete: () => {
      if (settings.api_key) window.ui.preauthorizeApiKey("ApiKeyHeader", settings.api_key);
    },
  });
};
