// A bad day of the server, as every client bears it: see tests/e2e/sdk.rs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"jeton.example/go/jeton"
	"jeton.example/go/jeton/api"
)

var ctx = context.Background()

func assert(holds bool, seen ...any) {
	if !holds {
		panic(fmt.Sprintf("seen: %+v", seen))
	}
}

func must[T any](value T, err error) T {
	assert(err == nil, err)
	return value
}

func problemOf(err error) *jeton.Problem {
	var problem *jeton.Problem
	assert(errors.As(err, &problem), err)
	return problem
}

func deleted(client *jeton.Client, role string) error {
	return jeton.Done(client.PolicyAPI.DeleteRole(ctx, role).Execute())
}

func requestFor(user string) api.IssueSessionTokenRequest {
	return *api.NewIssueSessionTokenRequest(*api.NewTokenUser(user, []string{"viewer"}))
}

func requests(client *jeton.Client) {
	err := deleted(client, "recovering")
	assert(err == nil, err)
	down := problemOf(deleted(client, "down"))
	assert(down.Status == 503 && down.Code == "unavailable", down)
	busy := problemOf(deleted(client, "busy"))
	assert(busy.Status == 429 && busy.RetryAfter == time.Hour, busy)
	assert(problemOf(deleted(client, "later")).RetryAfter > time.Hour)
	proxy := problemOf(deleted(client, "proxy"))
	assert(proxy.Status == 502 && proxy.Code == "unexpected_answer", proxy)
	assert(deleted(client, "elsewhere") != nil)
}

func tokens(client *jeton.Client) {
	begin := time.Now()
	now := begin
	cache := jeton.NewTokenCache(client)
	cache.Capacity = 2
	cache.Now = func() time.Time { return now }
	fading, refused := requestFor("fading"), requestFor("refused")
	first := must(cache.Token(ctx, fading))
	must(cache.Token(ctx, refused))
	now = begin.Add(675 * time.Second)
	assert(must(cache.Token(ctx, fading)) == first)
	for _, now = range []time.Time{now, begin} {
		_, err := cache.Token(ctx, refused)
		assert(problemOf(err).Status == 403)
	}
	now = begin.Add(900 * time.Second)
	_, err := cache.Token(ctx, fading)
	assert(problemOf(err).Status == 503)
}

func main() {
	retry := jeton.DefaultRetry()
	retry.Base = time.Millisecond
	options := jeton.Options{Retry: &retry}
	client := must(jeton.New(os.Getenv("JETON_URL"), os.Getenv("JETON_API_KEY"), options))
	requests(client)
	tokens(client)
	nobody := jeton.NewTokenCache(must(jeton.New("http://127.0.0.1:1", "jtn_nobody")))
	_, err := nobody.Token(ctx, requestFor("fading"))
	var problem *jeton.Problem
	assert(err != nil && !errors.As(err, &problem), err)
}
