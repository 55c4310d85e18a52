const ui = SwaggerUIBundle({
  url: "{{openapi}}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  layout: "BaseLayout",
});
fetch("{{openapi}}").then((reply) => reply.json()).then((api) => { document.title = api.info.title; });
