// Asks one call with the official Node SDK: reads JSON from stdin, writes what the SDK says to stdout.
// The SDK has no classes for these Actions, so it is asked by its client for any Action.
"use strict";

const {
  ClientProfile,
  CommonClient,
  Credential,
  HttpProfile,
} = require("tencentcloud-sdk-nodejs-intl-en/tencentcloud/common");

const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));

const client = new CommonClient(
  asked.endpoint,
  "2018-03-01",
  new Credential(asked.secretId, asked.secretKey, asked.token),
  asked.region,
  new ClientProfile(asked.signMethod, new HttpProfile("http://", asked.endpoint, "POST", 20)),
);

client.request(asked.action, asked.params, (error, answer) => {
  const said = error
    ? {
        kind: error.constructor.name,
        code: error.code ?? "",
        message: error.message,
        request_id: error.requestId ?? "",
      }
    : { answer };
  process.stdout.write(JSON.stringify(said));
});
