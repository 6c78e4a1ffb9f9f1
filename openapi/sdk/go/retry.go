package jeton

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Retry says how often and when a request is sent again that was answered with 429 or 503: nothing was done then, so
// this is safe for every operation. Before each further attempt it waits as long as Retry-After says, and on top of
// that a random time, so that clients that were refused together do not come back together.
type Retry struct {
	// Attempts is how often a request is sent at most; 1 for no retries.
	Attempts int
	// Base is the upper end of the first random time. It doubles with each attempt.
	Base time.Duration
	// MaxWait is the longest wait. When the server asks for more, its answer is handed on at once.
	MaxWait time.Duration
	// Sleep waits, unless the context ends before; nil for the real time.
	Sleep func(context.Context, time.Duration) error
}

// DefaultRetry sends a request four times at most and never waits longer than 30 seconds.
func DefaultRetry() Retry {
	return Retry{Attempts: 4, Base: 250 * time.Millisecond, MaxWait: 30 * time.Second}
}

// wait tells how long to wait after the attempt of this number, counted from 1, and whether to try again at all.
func (r Retry) wait(attempt int, response *http.Response) (time.Duration, bool) {
	retriable := response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable
	asked := retryAfter(response.Header)
	if !retriable || attempt >= r.Attempts || asked > r.MaxWait {
		return 0, false
	}
	jitter := min(r.Base<<(attempt-1), r.MaxWait)
	if jitter > 0 {
		jitter = rand.N(jitter)
	}
	return min(asked+jitter, r.MaxWait), true
}

// retryAfter reads both forms of the header, seconds and a date; zero when there is none.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}

type retrying struct {
	retry Retry
	next  http.RoundTripper
}

func (r *retrying) RoundTrip(request *http.Request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		response, err := r.next.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		wait, again := r.retry.wait(attempt, response)
		if !again || (request.Body != nil && request.GetBody == nil) {
			return response, nil
		}
		// A connection is used again only when its answer was read.
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
		_ = response.Body.Close()
		if err := r.sleep(request.Context(), wait); err != nil {
			return nil, err
		}
		if request.Body != nil {
			body, err := request.GetBody()
			if err != nil {
				return nil, err
			}
			request = request.Clone(request.Context())
			request.Body = body
		}
	}
}

func (r *retrying) sleep(ctx context.Context, wait time.Duration) error {
	if r.retry.Sleep != nil {
		return r.retry.Sleep(ctx, wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
