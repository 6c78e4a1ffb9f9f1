// Package jeton is a client of a Jeton server: the generated operations of package api, and around them what every
// program needs: authentication, retries, typed problems and a cache of session tokens.
//
//	client, err := jeton.New("https://tokens.example.com", os.Getenv("JETON_API_KEY"))
//	account, err := jeton.Do(client.AccountAPI.GetAccount(ctx).Execute())
package jeton

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jeton.example/go/jeton/api"
)

// Client has the operations of the API, by tag, as api.APIClient has them.
type Client struct {
	*api.APIClient
}

// Options are what New can be told beside the address and the key. The zero value is good.
type Options struct {
	// Transport sends single requests; http.DefaultTransport when nil.
	Transport http.RoundTripper
	// Timeout bounds an operation with all its retries; two minutes when zero.
	Timeout time.Duration
	// Retry says how often and when requests are sent again; DefaultRetry when nil.
	Retry *Retry
}

// New makes a client for the server at baseURL that presents apiKey.
func New(baseURL, apiKey string, options ...Options) (*Client, error) {
	server, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("jeton: the server's address: %w", err)
	}
	if server.Scheme == "" || server.Host == "" {
		return nil, errors.New("jeton: the server's address has no scheme or no host")
	}
	if apiKey == "" {
		return nil, errors.New("jeton: the API key is empty")
	}
	var chosen Options
	if len(options) > 0 {
		chosen = options[0]
	}
	if chosen.Transport == nil {
		chosen.Transport = http.DefaultTransport
	}
	if chosen.Timeout == 0 {
		chosen.Timeout = 2 * time.Minute
	}
	retry := DefaultRetry()
	if chosen.Retry != nil {
		retry = *chosen.Retry
	}
	configuration := api.NewConfiguration()
	configuration.Servers = api.ServerConfigurations{{URL: strings.TrimRight(baseURL, "/")}}
	configuration.UserAgent = "jeton-go/" + Version
	configuration.HTTPClient = &http.Client{
		Transport: &authentication{key: apiKey, next: &retrying{retry: retry, next: chosen.Transport}},
		Timeout:   chosen.Timeout,
		// The API redirects nowhere, and the key is for this server alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{api.NewAPIClient(configuration)}, nil
}

// authentication adds the API key to requests that bring no credential of their own.
type authentication struct {
	key  string
	next http.RoundTripper
}

func (a *authentication) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Header.Get("Authorization") == "" {
		// A RoundTripper must not change the request that it was given.
		request = request.Clone(request.Context())
		request.Header.Set("x-api-key", a.key)
	}
	return a.next.RoundTrip(request)
}
