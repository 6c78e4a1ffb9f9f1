package jeton

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"jeton.example/go/jeton/api"
)

// Problem is an answer that is an error. Find it with errors.As; decide by Code.
type Problem struct {
	// Status is the HTTP status.
	Status int
	// Code is what happened, as a stable name; see docs/errors.md. From the OAuth operations it is their `error`.
	Code string
	// Detail is what happened, for people.
	Detail string
	// RequestID is what the server's logs call the request.
	RequestID string
	// Errors is what is wrong with the input, each with its place; empty when the problem is not the input.
	Errors []api.FieldProblem
	// RetryAfter is how long the server asks to wait; zero when it does not say.
	RetryAfter time.Duration
}

// Error gives status, code, detail and the request's identifier.
func (p *Problem) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s: %s", p.Status, p.Code, p.Detail)
	if p.RequestID != "" {
		fmt.Fprintf(&text, " (%s)", p.RequestID)
	}
	return text.String()
}

// Retriable tells whether the same request may succeed later.
func (p *Problem) Retriable() bool {
	return p.Status == http.StatusTooManyRequests || p.Status >= http.StatusInternalServerError
}

// Do stands around an operation that answers with a value, and makes a *Problem of an error answer:
//
//	session, err := jeton.Do(client.SessionTokensAPI.IssueSessionToken(ctx).IssueSessionTokenRequest(request).Execute())
func Do[T any](value T, response *http.Response, err error) (T, error) {
	return value, problemOf(response, err)
}

// Done stands around an operation that answers without a value.
func Done(response *http.Response, err error) error {
	return problemOf(response, err)
}

func problemOf(response *http.Response, err error) error {
	var answered *api.GenericOpenAPIError
	if err == nil || response == nil || response.StatusCode < 400 || !errors.As(err, &answered) {
		return err
	}
	// The members of both kinds of error answers, RFC 9457 and RFC 6749.
	var body struct {
		Code             string             `json:"code"`
		Detail           string             `json:"detail"`
		Error            string             `json:"error"`
		ErrorDescription string             `json:"error_description"`
		Errors           []api.FieldProblem `json:"errors"`
	}
	problem := &Problem{
		Status:     response.StatusCode,
		RequestID:  response.Header.Get("x-request-id"),
		RetryAfter: retryAfter(response.Header),
	}
	if json.Unmarshal(answered.Body(), &body) == nil {
		problem.Code = body.Code + body.Error
		problem.Detail = body.Detail + body.ErrorDescription
		problem.Errors = body.Errors
	}
	// A proxy on the way may have answered in a form of its own.
	if problem.Code == "" {
		problem.Code = "unexpected_answer"
		problem.Detail = http.StatusText(response.StatusCode)
	}
	return problem
}
