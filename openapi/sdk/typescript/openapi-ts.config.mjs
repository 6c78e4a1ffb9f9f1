// https://heyapi.dev/openapi-ts/configuration; `generate` gives the document and the place for the output.
/** @type {import('@hey-api/openapi-ts').UserConfig} */
export default {
  input: process.env.JETON_OPENAPI,
  output: { path: 'src/generated', module: { extension: '.js' }, clean: true },
  logs: { file: false },
  plugins: [
    { name: '@hey-api/client-fetch', throwOnError: true },
    '@hey-api/typescript',
    {
      name: '@hey-api/sdk',
      responseStyle: 'data',
      operations: { strategy: 'single', containerName: 'Operations' },
    },
  ],
};
