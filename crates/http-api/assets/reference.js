// Shows this server's own document for reading.
Redoc.init(
  "../openapi.json",
  {
    // Requests are tried out in Swagger UI.
    expandResponses: "200,201",
    hideDownloadButton: false,
    nativeScrollbars: true,
    sortTagsAlphabetically: false,
    jsonSamplesExpandLevel: 3,
  },
  document.getElementById("reference"),
);
