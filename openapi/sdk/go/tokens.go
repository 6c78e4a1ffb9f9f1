package jeton

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"jeton.example/go/jeton/api"
)

// TokenCache hands out session tokens: the same one for equal requests, until it is time for the next. However many
// ask at once, the server is asked once. It is safe for concurrent use.
type TokenCache struct {
	client *Client
	// Capacity is how many tokens are kept at most.
	Capacity int
	// Now tells the time.
	Now func() time.Time

	mutex   sync.Mutex
	held    map[string]heldToken
	flights map[string]*flight
}

type heldToken struct {
	session              *api.SessionToken
	refreshAt, expiresAt time.Time
}

// flight is one request to the server, and all who wait for it.
type flight struct {
	done    chan struct{}
	session *api.SessionToken
	err     error
}

// NewTokenCache makes an empty cache for 10,000 tokens.
func NewTokenCache(client *Client) *TokenCache {
	return &TokenCache{
		client:   client,
		Capacity: 10_000,
		Now:      time.Now,
		held:     make(map[string]heldToken),
		flights:  make(map[string]*flight),
	}
}

// Token gives a token for the request that still holds for some time. A new one is issued when the server's
// refresh_in is over, ahead of the old one's end. When the server cannot be reached for that, or not answer, the old
// one is given as long as it holds; a refusal is an error at once, and the old one is forgotten.
func (c *TokenCache) Token(ctx context.Context, request api.IssueSessionTokenRequest) (*api.SessionToken, error) {
	key, err := keyOf(request)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	held, known := c.held[key]
	if known && c.Now().Before(held.refreshAt) {
		c.mutex.Unlock()
		return held.session, nil
	}
	current, flying := c.flights[key]
	if !flying {
		current = &flight{done: make(chan struct{})}
		c.flights[key] = current
		// Others wait for this one as well: it does not end with the caller who happened to be first.
		go c.fetch(context.WithoutCancel(ctx), key, request, current)
	}
	c.mutex.Unlock()

	select {
	case <-current.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if current.err != nil && known && transient(current.err) && c.Now().Before(held.expiresAt) {
		return held.session, nil
	}
	return current.session, current.err
}

// Forget drops the token of a request, for example when its consumer refuses it.
func (c *TokenCache) Forget(request api.IssueSessionTokenRequest) {
	if key, err := keyOf(request); err == nil {
		c.mutex.Lock()
		delete(c.held, key)
		c.mutex.Unlock()
	}
}

func (c *TokenCache) fetch(ctx context.Context, key string, request api.IssueSessionTokenRequest, current *flight) {
	// From before the request: rather too early than too late.
	asked := c.Now()
	call := c.client.SessionTokensAPI.IssueSessionToken(ctx).IssueSessionTokenRequest(request)
	current.session, current.err = Do(call.Execute())

	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.flights, key)
	switch {
	case current.err == nil:
		c.hold(key, heldToken{
			session:   current.session,
			refreshAt: asked.Add(time.Duration(current.session.RefreshIn) * time.Second),
			expiresAt: asked.Add(time.Duration(current.session.ExpiresIn) * time.Second),
		})
	case !transient(current.err):
		delete(c.held, key)
	}
	close(current.done)
}

// hold keeps a token, and makes room for it when needed: first those that ended go, then any.
func (c *TokenCache) hold(key string, token heldToken) {
	if _, known := c.held[key]; !known && len(c.held) >= c.Capacity {
		now := c.Now()
		for other, held := range c.held {
			if !now.Before(held.expiresAt) {
				delete(c.held, other)
			}
		}
		for other := range c.held {
			if len(c.held) < c.Capacity {
				break
			}
			delete(c.held, other)
		}
	}
	c.held[key] = token
}

// keyOf is the same for equal requests: encoding/json sorts the members of maps.
func keyOf(request api.IssueSessionTokenRequest) (string, error) {
	key, err := json.Marshal(request)
	return string(key), err
}

// transient errors say nothing about the request: the server was not reached, or could not answer.
func transient(err error) bool {
	var problem *Problem
	return !errors.As(err, &problem) || problem.Retriable()
}
